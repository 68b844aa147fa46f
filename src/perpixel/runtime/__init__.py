"""The machine and the process: hardware, memory, processes, progress."""
