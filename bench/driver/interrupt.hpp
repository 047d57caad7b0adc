#pragma once

// From now on Ctrl-C (or SIGTERM) asks the run to end; a second one ends the program.
void catch_interrupt();
bool interrupted();
