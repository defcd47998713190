#include "experiments/runner/program.hpp"

int main(int argc, char** argv) { return vaezoo::main(argc, argv); }
