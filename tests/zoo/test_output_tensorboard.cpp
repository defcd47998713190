#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <map>
#include <vector>

#include "experiments/output/tensorboard.hpp"
#include "tests/zoo/output_support.hpp"

using namespace vaezoo;

namespace {

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

/// CRC-32C bit by bit, straight from the definition: long division by the reflected polynomial.
std::uint32_t slow_crc(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffu;
  for (const char c : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      const std::uint32_t in = static_cast<unsigned char>(c) >> bit & 1;
      crc = (crc & 1) == in ? crc >> 1 : (crc >> 1) ^ 0x82F63B78u;
    }
  }
  return ~crc;
}
std::uint32_t slow_masked(std::string_view bytes) {
  const std::uint32_t c = slow_crc(bytes);
  return ((c >> 15) | (c << 17)) + 0xa282ead8u;
}

/// Splits a file into its records and checks both checksums of each.
std::vector<std::string> records_of(std::string_view file) {
  std::vector<std::string> records;
  while (!file.empty()) {
    REQUIRE(file.size() >= 16);
    const std::size_t length = little_endian(file.substr(0, 8));
    CHECK(little_endian(file.substr(8, 4)) == slow_masked(file.substr(0, 8)));
    REQUIRE(file.size() >= length + 16);
    const std::string_view data = file.substr(12, length);
    CHECK(little_endian(file.substr(12 + length, 4)) == slow_masked(data));
    records.emplace_back(data);
    file.remove_prefix(length + 16);
  }
  return records;
}

/// A protobuf message: for each field number its values, as numbers (varint, fixed) or as bytes.
struct Message {
  std::multimap<std::uint64_t, std::uint64_t> numbers;
  std::multimap<std::uint64_t, std::string> bytes;
  std::uint64_t number(std::uint64_t field) const { return numbers.find(field)->second; }
};

Message decode(std::string_view text) {
  Message message;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      REQUIRE(!text.empty());
      const auto byte = static_cast<unsigned char>(text[0]);
      text.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
  };
  const auto take = [&](std::size_t n) {
    REQUIRE(text.size() >= n);
    const std::string_view part = text.substr(0, n);
    text.remove_prefix(n);
    return part;
  };
  while (!text.empty()) {
    const std::uint64_t key = varint();
    switch (key & 7) {
      case 0: message.numbers.emplace(key >> 3, varint()); break;
      case 1: message.numbers.emplace(key >> 3, little_endian(take(8))); break;
      case 2: message.bytes.emplace(key >> 3, take(varint())); break;
      case 5: message.numbers.emplace(key >> 3, little_endian(take(4))); break;
      default: FAIL("wire type ", key & 7);
    }
  }
  return message;
}

std::vector<Message> events_of(const EventWriter& writer) {
  std::vector<Message> events;
  for (const std::string& record : records_of(read_file(writer.path()))) events.push_back(decode(record));
  return events;
}

}  // namespace

TEST_CASE("tensorboard: crc32c gives the known answers of RFC 3720, B.4") {
  CHECK(crc32c("123456789") == 0xE3069283u);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAu);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62A8AB43u);
  CHECK(crc32c("") == 0u);
}

TEST_CASE("tensorboard: an independent reader finds version, scalars and steps, at once after each write") {
  const test_support::TempFolder folder;
  EventWriter writer(folder / "tb");
  CHECK(writer.path().filename().string().starts_with("events.out.tfevents."));
  const std::vector<Metric> values = {{"loss/train", 105.625}, {"kl", -0.5}, {"bad", NAN}};
  writer.scalars(300, values);
  writer.scalars(std::int64_t{1} << 40, {});

  const std::vector<Message> events = events_of(writer);
  REQUIRE(events.size() == 3);
  CHECK(events[0].bytes.find(3)->second == "brain.Event:2");
  CHECK(std::bit_cast<double>(events[0].number(1)) > 1.5e9);  // seconds since 1970
  CHECK(events[1].number(2) == 300);
  CHECK(events[2].number(2) == std::uint64_t{1} << 40);

  const Message summary = decode(events[1].bytes.find(5)->second);
  REQUIRE(summary.bytes.count(1) == 3);
  auto value = summary.bytes.begin();
  for (const Metric& metric : values) {
    const Message decoded = decode((value++)->second);
    CHECK(decoded.bytes.find(1)->second == metric.name);
    const float number = std::bit_cast<float>(static_cast<std::uint32_t>(decoded.number(2)));
    CHECK((number == static_cast<float>(metric.value) || (std::isnan(number) && std::isnan(metric.value))));
  }
}

TEST_CASE("tensorboard: a picture carries its size, colour space and the PNG itself") {
  const test_support::TempFolder folder;
  EventWriter writer(folder.path());
  const Image image{2, 3, 3, std::vector<std::uint8_t>(18, 77)};
  writer.picture(5, "samples", image);
  const std::vector<Message> events = events_of(writer);
  REQUIRE(events.size() == 2);
  const Message value = decode(decode(events[1].bytes.find(5)->second).bytes.find(1)->second);
  CHECK(value.bytes.find(1)->second == "samples");
  const Message picture = decode(value.bytes.find(4)->second);
  CHECK(picture.number(1) == 2);
  CHECK(picture.number(2) == 3);
  CHECK(picture.number(3) == 3);
  const std::vector<std::uint8_t> png = encode_png(image);
  CHECK(picture.bytes.find(4)->second == std::string(png.begin(), png.end()));
}

TEST_CASE("tensorboard: a resumed run starts a new file that voids the steps after its checkpoint") {
  const test_support::TempFolder folder;
  EventWriter first(folder.path());
  first.scalars(10, std::vector<Metric>{{"loss", 1}});
  const std::string before = read_file(first.path());
  EventWriter second(folder.path(), 8);
  CHECK(second.path() != first.path());
  CHECK(first.path() < second.path());  // TensorBoard reads files in the order of their names
  second.scalars(9, std::vector<Metric>{{"loss", 2}});
  CHECK(read_file(first.path()) == before);
  const std::vector<Message> events = events_of(second);
  REQUIRE(events.size() == 3);
  CHECK(events[1].number(2) == 9);  // everything from step 9 on
  CHECK(decode(events[1].bytes.find(7)->second).number(1) == 1);  // SessionLog.START
  CHECK(events[2].number(2) == 9);
}
