begin
  if new_machine is null or new_machine !~ '^[a-z][a-z0-9_-]{0,62}$' then
    raise exception '"%" is not a machine''s name', new_machine
      using errcode = 'invalid_parameter_value', detail = 'A machine''s name matches [a-z][a-z0-9_-]{0,62}.';
  end if;
  perform linuxsql.fork_machine(linuxsql.checkpoint_named(linuxsql.machine_named(@extschema@.vm_current(machine)), name),
    new_machine);
  -- The same card, or the saved state would not fit; the forwards stay with the machine that has them.
  update linuxsql.machine f set network = m.network from linuxsql.machine m
    where f.name = new_machine and m.name = @extschema@.vm_current(vm_fork.machine);
  return new_machine;
end
