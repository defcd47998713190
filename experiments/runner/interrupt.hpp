#pragma once

namespace vaezoo {

/// From now on SIGINT and SIGTERM are noted instead of ending the process at once; a second one ends it.
void watch_signals();
/// The signal that came, or 0.
int signal_received();

}  // namespace vaezoo
