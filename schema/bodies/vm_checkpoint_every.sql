declare
  machine_id constant bigint := linuxsql.machine_named(@extschema@.vm_current(machine));
  surplus bigint;
begin
  if instructions < 1000000 then
    raise exception 'a checkpoint after every % instructions is too many', instructions
      using errcode = 'invalid_parameter_value', hint = 'Give a million or more, or null for none.';
  end if;
  if keep is null or keep not between 1 and 1000 then
    raise exception 'keep must be 1 to 1000' using errcode = 'invalid_parameter_value';
  end if;
  update linuxsql.machine set checkpoint_every = instructions, checkpoint_keep = keep where id = machine_id;
  perform pg_catalog.pg_notify('linuxsql_machine_' || machine_id, 'checkpoint_every');
  for surplus in
    select c.id from linuxsql.checkpoint c
      where c.machine = machine_id and c.automatic
        and not exists (select from linuxsql.machine m where m.restore_from = c.id)
      order by c.id desc offset keep
  loop
    perform linuxsql.delete_checkpoint(surplus);
  end loop;
end
