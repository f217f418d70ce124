#include "cli/cli.h"

int main(int argc, char** argv) { return jail::cli::main(argc, argv); }
