#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <csignal>
#include <cstdio>
#include <filesystem>

#include "autodiff/process.hpp"

int main(int argc, char** argv) {
  ad::set_up_process(argv);
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT}) std::signal(signal, SIG_DFL);  // nohup and a shell's & ignore them, for programs we start too
  if (!std::filesystem::exists("tests/golden")) {
    std::fputs("the tests read tests/golden: run them from the root of the repository, or with scripts/test\n", stderr);
    return 2;
  }
  return doctest::Context(argc, argv).run();
}
