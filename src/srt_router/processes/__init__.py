"""What a process is: /proc, identity, spawn, PID files, kill, orphans."""
