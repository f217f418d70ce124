// The ELF interpreters and "#!" programs that an exec grant brings (DECISIONS 9). Whoever writes a program chooses what
// starts it: a plugin's author, or whoever else can write the file, must not get a program of the host's by naming it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "profile/facts.h"
#include "profile/profile.h"

namespace jail::profile {

// Of nearly every program on x86-64 Linux; grants nothing that the program could not do by itself.
inline constexpr std::string_view kLoader = "/lib64/ld-linux-x86-64.so.2";

// Who besides the operator has a say in what stands in that program; empty: nobody.
std::string foreign_author(const Profile& profile, const Facts& facts, const std::string& program);

// Those of `grant` that come with it, as its PathFact names them. The first that may not come ends the chain: its
// author chose the next.
std::vector<std::string> brought_interpreters(const Profile& profile, const Facts& facts, const Grant& grant);

// "is not there", "is no program"; empty: the kernel would start programs with it.
std::string why_no_interpreter(const Facts& facts, const std::string& path);

}  // namespace jail::profile
