-- What one looks at first comes first; the rest in the service's order.
select c.metric, c.value
from (select metric, value, row_number() over () as place from linux.counters) c
order by array_position(array['hz', 'stat_jit_insns', 'console_bytes', 'cpu_temp', 'instret', 'guest_time_ns'], c.metric)
         nulls last, c.place
