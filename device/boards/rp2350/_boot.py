# In place of MicroPython's _boot.py, which mounts a file system with boot.py and main.py: here only frozen code runs.
