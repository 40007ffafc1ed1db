-- Schedules of vm_refresh_every: how they go.
select view, every, method, machine, next_run, last_run, last_ms, last_error, runs, failures
from @extschema@.vm_refresh_schedule
