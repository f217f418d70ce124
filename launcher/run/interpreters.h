// Which further files a program needs to be started: its ELF interpreter (elf(5), PT_INTERP) or its "#!" program
// (execve(2)), and theirs.
#pragma once

#include <string>
#include <vector>

namespace jail::run {

// Empty for a static program, for what is neither, and for what cannot be read.
std::vector<std::string> interpreters_of(const std::string& path);

// The loader that programs in a granted folder will ask for.
std::vector<std::string> standard_loaders();

}  // namespace jail::run
