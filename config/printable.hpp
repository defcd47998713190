#pragma once
// Text from files of others, made fit for a message.
#include <string>
#include <string_view>
#include <vector>

namespace vaezoo {

/// `text` without what could disturb a terminal or a log. Line ends and tabs become \n, \r and \t; other control characters,
/// and bytes that are not UTF-8, become \xNN; controls, line ends and marks of direction beyond ASCII become \uNNNN.
std::string printable(std::string_view text);

/// The same for a message of several lines: line ends stay.
std::string printable_lines(std::string_view text);

/// printable(text), cut to its first `longest` characters and "..." when it has more: a cell or a key, quoted in a message.
std::string excerpt(std::string_view text, std::size_t longest = 60);

/// "a, b, c" of excerpts; of more than `most` names the first ones and how many more there are: "a, b and 7 more".
std::string listed(const std::vector<std::string>& names, std::size_t most = 20);

}  // namespace vaezoo
