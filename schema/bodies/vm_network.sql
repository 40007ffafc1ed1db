declare
  machine_id bigint := linuxsql.machine_named(machine);
begin
  if access not in ('isolated', 'outside', 'host') then
    raise exception '"%" is not a kind of access', access
      using errcode = 'invalid_parameter_value', hint = 'Give isolated, outside, host, or null for no network card.';
  end if;
  update linuxsql.machine set network = access where id = machine_id;
  return access;
end
