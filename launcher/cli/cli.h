// The command line as a library, so that tests can call it.
#pragma once

namespace jail::cli {

int main(int argc, char** argv);

}  // namespace jail::cli
