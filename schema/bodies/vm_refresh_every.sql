declare
  minutes numeric := extract(epoch from every) / 60;
  with_cron boolean;
  job bigint;
begin
  if not exists (select from pg_catalog.pg_class c where c.oid = view and c.relkind = 'm') then
    raise exception '% is not a materialized view', view using errcode = 'wrong_object_type';
  elsif not exists (select from pg_catalog.pg_class c where c.oid = view and pg_catalog.pg_has_role(c.relowner, 'usage')) then
    raise exception 'must be owner of materialized view %', view using errcode = 'insufficient_privilege';
  elsif every is null or every < interval '1 second' then
    raise exception 'the interval must be one second or more' using errcode = 'invalid_parameter_value';
  end if;
  perform @extschema@.vm_refresh_stop(view);
  -- cron tells minutes and hours of the day: an interval must divide the hour, or the day in whole hours
  with_cron := minutes = trunc(minutes) and minutes between 1 and 1440
    and (60 % minutes = 0 or (minutes % 60 = 0 and 1440 % minutes = 0))
    and pg_catalog.to_regprocedure('cron.schedule(text,text,text)') is not null
    and pg_catalog.has_schema_privilege('cron', 'usage');
  if with_cron then
    execute 'select cron.schedule($1, $2, $3)' into job
      using 'vm_refresh ' || view::oid::text,
            case when minutes < 60 then format('*/%s * * * *', minutes::int)
                 when minutes < 1440 then format('0 */%s * * *', (minutes / 60)::int) else '0 0 * * *' end,
            format('select @extschema@.vm_refresh_run(%s::oid::regclass)', view::oid);
  end if;
  insert into @extschema@.vm_refresh_schedule (view, every, method, cron_job, machine, next_run)
    values (view, every, case when with_cron then 'pg_cron' else 'worker' end, job,
            nullif(current_setting('linuxsql.machine', true), ''), clock_timestamp() + every);
  if not with_cron and not @extschema@.vm_refresh_worker() then
    raise warning 'the refresh worker cannot be started'
      using hint = 'Raise max_worker_processes, or put linuxsql into shared_preload_libraries.';
  end if;
  return case when with_cron then 'pg_cron' else 'worker' end;
end
