select c.metric, c.value from linux.counters c
