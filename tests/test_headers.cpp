// Only there to have its precompiled header used by every test program.
