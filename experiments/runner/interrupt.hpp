#pragma once
// What Ctrl-C (SIGINT), SIGTERM, SIGHUP and SIGPIPE do. At first, and in most commands to the end, one of them ends the program at once:
// files are replaced whole or not at all, so there is nothing to put in order. Training notes it instead, and saves.
// The exit code is 128 and the signal's number. A second signal ends the program at once, whatever it is at.
#include <string>

namespace vaezoo {

/// Call in main, before other threads are there. A SIGHUP that was ignored, as nohup does, stays so. SIGXFSZ and a broken pipe become errors
/// of the write in question. Throws ad::Error when there is no room for a thread.
void watch_signals();

/// From now on a signal is only noted, for signal_received().
void note_signals();
/// From now on a signal ends the program at once, with this sentence; so does one that was noted before.
void end_on_signals(const std::string& sentence);

/// The signal that came, or 0.
int signal_received();
/// The exit code that tells of it.
int signal_code(int signal);

}  // namespace vaezoo
