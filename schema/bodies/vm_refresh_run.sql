declare
  started timestamptz := clock_timestamp();
  mode text;
  failed_state text;
  failed_message text;
  failed_detail text;
begin
  select case when c.relispopulated and exists (
           select from pg_catalog.pg_index i
           where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null)
         then 'concurrently' else '' end
    into mode from pg_catalog.pg_class c where c.oid = view and c.relkind = 'm';
  perform set_config('linuxsql.machine', s.machine, true)
    from @extschema@.vm_refresh_schedule s where s.view = vm_refresh_run.view and s.machine is not null;
  begin
    if mode is null then
      raise exception '% is not a materialized view', view using errcode = 'wrong_object_type';
    end if;
    execute format('refresh materialized view %s %s', mode, view);
  exception when others or query_canceled then
    get stacked diagnostics failed_state = returned_sqlstate, failed_message = message_text, failed_detail = pg_exception_detail;
  end;
  update @extschema@.vm_refresh_schedule s set
    next_run = greatest(s.next_run + s.every, clock_timestamp()),
    last_run = started,
    last_ms = 1000 * extract(epoch from clock_timestamp() - started),
    last_error = failed_message,
    runs = s.runs + 1,
    failures = s.failures + (failed_message is not null)::int
    where s.view = vm_refresh_run.view;
  if failed_message is null then return true; end if;
  insert into @extschema@.vm_refresh_log (view, started, sqlstate, message, detail)
    values (view, started, failed_state, failed_message, nullif(failed_detail, ''));
  delete from @extschema@.vm_refresh_log l where l.id <= (
    select max(id) - 1000 from @extschema@.vm_refresh_log);
  return false;
end
