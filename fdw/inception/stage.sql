-- One progress line: seconds since the beginning, level, what was reached, instructions of that level and how fast they went.
-- Takes :level, :what, :insns (of the machine at that level) and :since (when the stage began); begins the next stage.
\set now `date +%s.%3N`
select format('[%5s s] level %s: %s: %s million instructions in %s s, %s MIPS', round(:now - :begun), :level, :'what',
              round(:insns / 1e6, 1), round(:now - :since, 1), round(:insns / 1e6 / greatest(:now - :since, 0.001), 2)) as line \gset
\echo :line
\set since :now
