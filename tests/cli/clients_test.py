"""Programs that people have, unmodified, in a jail that lets them out by name: curl, git, Python's libraries, Node,
PostgreSQL's client. They speak with real servers of the world over TLS; what no line permits they do not reach.
"""
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile
import unittest

from jail_case import both_launchers
from world import World, wait_until

PATH = "/usr/bin:/bin"
API, API6, GIT, DATABASE, EVIL = ("203.0.113.10", "2001:db8:2::10", "203.0.113.20", "203.0.113.30", "203.0.113.40")
NAMES = {"api.acme.example": (API, API6), "git.acme.example": (GIT,), "db.acme.example": (DATABASE,),
         "evil.example": (EVIL,)}
# Both versions of HTTP over TLS, and the files of a repository.
WEB = """
const fs = require('fs'), http2 = require('http2'), path = require('path');
const [folder] = process.argv.slice(1);
const read = name => fs.readFileSync(path.join(folder, name));
http2.createSecureServer({key: read('key.pem'), cert: read('cert.pem'), allowHTTP1: true}, (request, response) => {
  const file = path.join(folder, 'www', request.url.split('?')[0]);
  if (request.url === '/hello') return response.end('hello by ' + request.httpVersion);
  if (!fs.existsSync(file) || !fs.statSync(file).isFile()) { response.statusCode = 404; return response.end(); }
  response.end(fs.readFileSync(file));
}).listen(443, '::');
"""
# A server may be installed, or unpacked by scripts/setup.
TREES = [pathlib.Path("/usr/lib/postgresql"),
         pathlib.Path(__file__).parents[2] / "build" / "servers" / "usr" / "lib" / "postgresql"]
FOLDER = None
WORLD = None


def run(*words, **options):
    subprocess.run(list(map(str, words)), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)


def make_certificate(folder):
    names = ",".join(f"DNS:{name}" for name in NAMES)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=world", "-addext", f"subjectAltName={names}",
        "-keyout", folder / "key.pem", "-out", folder / "cert.pem")


def make_repository(folder):
    """For git's plain way of fetching over HTTP, which any server of files serves."""
    (folder / "www").mkdir()
    work, bare = folder / "work", folder / "www" / "plugin.git"
    identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@acme.example", "GIT_COMMITTER_NAME": "a",
                "GIT_COMMITTER_EMAIL": "a@acme.example", "PATH": PATH, "HOME": str(folder)}
    run("git", "init", "-q", work, env=identity)
    (work / "plugin.txt").write_text("of the world\n")
    run("git", "-C", work, "add", ".", env=identity)
    run("git", "-C", work, "commit", "-qm", "first", env=identity)
    run("git", "clone", "-q", "--bare", work, bare, env=identity)
    run("git", "--git-dir", bare, "update-server-info", env=identity)


def of_postgresql(program):
    """The folder of its newest version on this machine, or nothing."""
    found = [path for tree in TREES for path in tree.glob(f"*/bin/{program}")]
    return max(found, key=lambda path: int(path.parts[-3])).parent if found else None


def make_database(folder, programs):
    """As an ordinary user: it does not run as root. Without fsync: the tests end before it matters."""
    user = pwd.getpwnam("nobody")
    data = folder / "data"
    data.mkdir()
    (folder / "socket").mkdir()
    for place in (data, folder / "socket"):
        os.chown(place, user.pw_uid, user.pw_gid)
    as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    run(*as_user, programs / "initdb", "-D", data, "-U", "plugin", "-A", "trust", "--no-sync", "--no-locale")
    with (data / "pg_hba.conf").open("a") as rules:
        rules.write("host all all 0.0.0.0/0 trust\n")
    return [*as_user, programs / "postgres", "-D", data, "-F", "-h", DATABASE, "-k", folder / "socket"]


def setUpModule():
    global FOLDER, WORLD
    if os.geteuid() != 0:
        raise unittest.SkipTest("only root makes networks that stand for the world")
    missing = [name for name in ("node", "git", "openssl", "curl") if not shutil.which(name, path=PATH)]
    if missing:
        raise unittest.SkipTest(f"not installed: {', '.join(missing)}")
    FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="jail-clients-", dir="/var/tmp"))
    os.chmod(FOLDER, 0o755)
    make_certificate(FOLDER)
    make_repository(FOLDER)
    servers = [["node", "-e", WEB, FOLDER]]
    awaited = ["api.acme.example", (API, 443), (API6, 443), (GIT, 443), (EVIL, 443)]
    if programs := of_postgresql("postgres"):
        servers.append(make_database(FOLDER, programs))
        awaited.append((DATABASE, 5432))
    os.chmod(FOLDER / "cert.pem", 0o644)
    WORLD = World([address for some in NAMES.values() for address in some],
                  [f"--host-record={name},{','.join(some)}" for name, some in NAMES.items()], servers, awaited)


def tearDownModule():
    if WORLD:
        WORLD.end()
    if FOLDER:
        wait_until(lambda: not (FOLDER / "data" / "postmaster.pid").exists(), "the end of the database")
        shutil.rmtree(FOLDER)


@both_launchers
class Clients:
    def client(self, *words, allowed=("tcp://*.acme.example:443",), template="base", read=(), filesystem="",
               env="", network=""):
        entries = ", ".join(f"\"{entry}\"" for entry in allowed)
        readable = ", ".join(map(str, (FOLDER / "cert.pem", *read)))
        profile = self.document(
            f"version: 1\nname: clients\nextends: [{template}]\n"
            f"filesystem:\n  read: [{readable}]\n  write: [\"{self.dir}/write\"]\n{filesystem}"
            f"network:\n  allow: [{entries}]\n{network}env:\n  set: {{HOME: /tmp{env}}}\n")
        return self.jail("run", "--audit", self.log, profile, "--", *words)

    def curl(self, *words):
        return self.client("/usr/bin/curl", "-sS", "--max-time", "20", "--cacert", FOLDER / "cert.pem", *words,
                           filesystem="  exec: [/usr/bin/curl]\n  libraries: [/usr/lib, /lib]\n")

    def python(self, code):
        return self.client("/usr/bin/python3", "-c", code, template="python",
                           filesystem="  libraries: [/usr/lib]\n", env=f", SSL_CERT_FILE: {FOLDER}/cert.pem")

    def assert_said(self, ended, text):
        self.assertEqual((ended.code, ended.out.strip()), (0, text), ended)

    def hosts_that_were_reached(self):
        """By the last run."""
        records = self.records()
        return {record["address"] for record in records if record["run"] == records[-1]["run"] and
                record["kind"] == "net.flow" and record["decision"] == "allowed"}

    def test_control_from_outside_the_forbidden_one_is_there(self):
        out = subprocess.check_output(["curl", "-sS", "--cacert", FOLDER / "cert.pem", "https://evil.example/hello"],
                                      timeout=60)
        self.assertEqual(out, b"hello by 2.0")

    def test_curl(self):
        self.assert_said(self.curl("--http1.1", "https://api.acme.example/hello"), "hello by 1.1")
        self.assert_said(self.curl("--http2", "https://api.acme.example/hello"), "hello by 2.0")
        self.assert_said(self.curl("-6", "https://api.acme.example/hello"), "hello by 2.0")
        self.assertEqual(self.hosts_that_were_reached(), {API6})
        ended = self.curl("https://evil.example/hello")
        self.assertEqual((ended.code, ended.out), (6, ""), ended)  # of curl(1): could not resolve the host
        ended = self.curl("--resolve", f"evil.example:443:{EVIL}", "https://evil.example/hello")
        self.assertIn(ended.code, (7, 35), ended)  # refused, or reset while TLS was spoken
        self.assertEqual(self.hosts_that_were_reached(), set())

    def test_git(self):
        exec_path = subprocess.check_output(["git", "--exec-path"], text=True).strip()
        clone = self.dir / "write" / "plugin"
        ended = self.client("/usr/bin/git", "clone", "-q", "https://git.acme.example/plugin.git", clone,
                            filesystem=f"  exec: [/usr/bin/git, {exec_path}, /bin/sh]\n"
                                       "  libraries: [/usr/lib, /lib]\n", read=["/usr/share/git-core"],
                            env=f", GIT_SSL_CAINFO: {FOLDER}/cert.pem, GIT_CONFIG_NOSYSTEM: \"1\"")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual((clone / "plugin.txt").read_text(), "of the world\n")

    def test_python(self):
        self.assert_said(self.python(
            "import urllib.request\n"
            "print(urllib.request.urlopen('https://api.acme.example/hello', timeout=20).read().decode())"),
            "hello by 1.1")
        self.assert_said(self.python(
            "import asyncio\n"
            "async def main():\n"
            "    reader, writer = await asyncio.open_connection('api.acme.example', 443, ssl=True)\n"
            "    writer.write(b'GET /hello HTTP/1.0\\r\\n\\r\\n')\n"
            "    print((await reader.read()).decode().splitlines()[-1])\n"
            "    writer.close()\n"
            "asyncio.run(main())"), "hello by 1.0")

    def test_httpx(self):
        if subprocess.run(["/usr/bin/python3", "-c", "import httpx, h2"], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("not installed: python3-httpx, python3-h2")
        self.assert_said(self.python(
            "import asyncio, httpx\n"
            "async def main():\n"
            f"    async with httpx.AsyncClient(verify='{FOLDER}/cert.pem', http2=True, timeout=20) as client:\n"
            "        some = await asyncio.gather(*[client.get('https://api.acme.example/hello') for _ in range(20)])\n"
            "    print({answer.text for answer in some})\n"
            "    try: httpx.get('https://evil.example/hello', timeout=20)\n"
            "    except httpx.ConnectError: print('evil is not there')\n"
            "asyncio.run(main())"), "{'hello by 2.0'}\nevil is not there")

    def test_node(self):
        ended = self.client(
            "/usr/bin/node", "-e",
            "fetch('https://api.acme.example/hello').then(answer => answer.text()).then(console.log)\n"
            "  .then(() => fetch('https://evil.example/hello')).catch(error => console.log(error.cause.code))",
            template="node", filesystem="  libraries: [/usr/lib]\n", env=f", NODE_EXTRA_CA_CERTS: {FOLDER}/cert.pem")
        self.assert_said(ended, "hello by 1.1\nENOTFOUND")

    def psql(self, *words, **options):
        programs = of_postgresql("psql")
        if not programs or not of_postgresql("postgres"):
            self.skipTest("not installed: PostgreSQL, both ends")
        return self.client(programs / "psql", "-X", "-At", "-U", "plugin", "-d", "postgres", *words,
                           "-c", "select 6 * 7", read=["/etc/passwd"], **options,
                           filesystem=f"  exec: [{programs}/psql]\n  libraries: [/usr/lib, /lib]\n")

    def test_psql_over_the_network(self):
        allowed = ("tcp://db.acme.example:5432",)
        self.assert_said(self.psql("-h", "db.acme.example", allowed=allowed), "42")
        self.assertEqual(self.hosts_that_were_reached(), {DATABASE})
        ended = self.psql("-h", "db.acme.example")
        self.assertEqual((ended.code, ended.out), (2, ""), ended)

    def test_psql_over_its_socket(self):
        place = FOLDER / "socket"
        self.assert_said(self.psql("-h", place, network=f"  unix: [{place}/.s.PGSQL.5432]\n"), "42")
        ended = self.psql("-h", place)
        self.assertEqual((ended.code, ended.out), (2, ""), ended)


if __name__ == "__main__":
    unittest.main()
