declare
  job bigint;
begin
  delete from @extschema@.vm_refresh_schedule s where s.view = vm_refresh_stop.view returning s.cron_job into job;
  if not found then return false; end if;
  if job is not null and pg_catalog.to_regprocedure('cron.unschedule(bigint)') is not null then
    execute 'select cron.unschedule(jobid) from cron.job where jobid = $1' using job;
  end if;
  return true;
end
