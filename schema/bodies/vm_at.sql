declare
  name text := @extschema@.vm_current(machine);
  instant text := coalesce(boot || ':' || instret, instret::text, '');
begin
  perform set_config('linuxsql.machine', name, false), set_config('linuxsql.as_of', instant, false);
  return case when instant = '' then name else name || '@' || instant end;
end