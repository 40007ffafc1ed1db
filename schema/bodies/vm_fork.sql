begin
  if new_machine is null or new_machine !~ '^[a-z][a-z0-9_-]{0,62}$' then
    raise exception '"%" is not a machine''s name', new_machine
      using errcode = 'invalid_parameter_value', detail = 'A machine''s name matches [a-z][a-z0-9_-]{0,62}.';
  end if;
  perform linuxsql.fork_machine(linuxsql.checkpoint_named(linuxsql.machine_named(@extschema@.vm_current(machine)), name),
    new_machine);
  return new_machine;
end
