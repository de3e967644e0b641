// Ctrl-C reaches every process of the terminal. If it ended this one before the command, nobody would know any more which
// processes the suite has started. So the command ends this one, and those.

for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
