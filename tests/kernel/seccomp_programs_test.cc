// Programs that plugins are written in, under both sets: a filter nobody can live with is switched off.
#include <gtest/gtest.h>

#include <vector>

#include "seccomp_filtered.h"

namespace jail::confine::seccomp {
namespace {

struct Program {
  const char* name;
  const char* file;
  std::vector<const char*> arguments;
};

constexpr const char* kPython = R"(
import threading, subprocess, socket, asyncio, tempfile, multiprocessing, json, time
t = threading.Thread(target=lambda: None); t.start(); t.join()
assert subprocess.run(['/bin/echo', 'hello'], capture_output=True).stdout == b'hello\n'
assert socket.getaddrinfo('127.0.0.1', 80)
s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname()); c.sendall(b'x')
asyncio.run(asyncio.sleep(0.01))
with tempfile.NamedTemporaryFile() as f: f.write(b'x'); f.flush()
multiprocessing.get_context('fork').Process(target=time.time).start()
)";

const Program kPrograms[] = {
    {"Shell", "/bin/sh", {"-c", "for i in 1 2 3; do echo $i | cat; done | sort -r > /dev/null && ls -l / > /dev/null"}},
    {"Python", "/usr/bin/python3", {"-c", kPython}},
    {"Perl", "/usr/bin/perl", {"-e", "my $x = `echo hello`; exit($x eq \"hello\\n\" ? 0 : 1)"}},
    {"Node",
     "/usr/bin/node",
     {"-e",
      "const c=require('child_process');c.execSync('true');new (require('worker_threads').Worker)('0',{eval:true});"
      "require('net').createServer().listen(0,'127.0.0.1',function(){this.close()})"}},
    {"Git", "/usr/bin/git", {"--version"}},
};

int run(const Program& program, profile::SyscallSet set) {
  profile::Syscalls wanted;
  wanted.set.value = set;
  const Plan rules = plan(wanted);
  return test::in_child([&] {
    if (!test::become_ordinary() || ::chdir("/tmp") != 0 || test::install(rules) != 0) return false;
    std::vector<char*> arguments{const_cast<char*>(program.file)};
    for (const char* argument : program.arguments) arguments.push_back(const_cast<char*>(argument));
    arguments.push_back(nullptr);
    char* const environment[] = {const_cast<char*>("PATH=/usr/bin:/bin"), const_cast<char*>("HOME=/tmp"), nullptr};
    (void)::execve(program.file, arguments.data(), environment);
    return false;
  });
}

class SeccompPrograms : public testing::TestWithParam<Program> {};

TEST_P(SeccompPrograms, RunUnderStandard) {
  if (::access(GetParam().file, X_OK) != 0) GTEST_SKIP() << GetParam().file << " is not installed";
  EXPECT_EQ(run(GetParam(), profile::SyscallSet::Standard), 0);
}

TEST_P(SeccompPrograms, RunUnderStrict) {
  if (::access(GetParam().file, X_OK) != 0) GTEST_SKIP() << GetParam().file << " is not installed";
  EXPECT_EQ(run(GetParam(), profile::SyscallSet::Strict), 0);
}

INSTANTIATE_TEST_SUITE_P(Installed, SeccompPrograms, testing::ValuesIn(kPrograms),
                         [](const auto& program) { return std::string(program.param.name); });

}  // namespace
}  // namespace jail::confine::seccomp
