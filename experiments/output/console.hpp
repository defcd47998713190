#pragma once
// Standard output is for results, whose loss is an error; standard error is for words, whose loss is not.
#include <optional>
#include <string_view>

namespace vaezoo {

/// Writes to standard error. Where that cannot be (a full disk, a closed terminal), the words are lost and the program goes on.
void tell(std::string_view text) noexcept;

/// Columns of the terminal at this file descriptor; nothing where there is none.
std::optional<int> terminal_columns(int descriptor);

/// Call first in main: streams that the program was started without are opened on nothing, so that no file takes their place.
/// Standard output then still fails when it is written.
void open_missing_streams();

/// Has all that was printed on standard output arrived? Returns what went wrong, or nullptr.
const char* flush_results();

}  // namespace vaezoo
