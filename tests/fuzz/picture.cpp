// PNG and JPEG files.
#include "datasets/picture.hpp"
#include "tests/fuzz/fuzz.hpp"

FUZZ_TARGET(picture) {
  using namespace vaezoo;
  const std::filesystem::path path = fuzzing::write_file("input.png", input);
  fuzzing::may_refuse([&] {
    const Picture picture = read_picture(path);
    resize_square(to_grey(picture), 3);
    crop_centre(to_colour(picture), 1);
  });
}
