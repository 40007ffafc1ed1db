declare
  most constant integer := 64;
  this linuxsql.machine_forward;
  access text;
begin
  this.machine := linuxsql.machine_named(machine);
  this.host_address := host_address;
  this.host_port := host_port;
  this.guest_port := guest_port;
  if this.host_address is null or family(this.host_address) <> 4 or masklen(this.host_address) <> 32 then
    raise exception 'a forward listens on an IPv4 address, not on %', coalesce(this.host_address::text, 'null')
      using errcode = 'invalid_parameter_value', hint = 'Give 0.0.0.0 for every address of the host.';
  end if;
  if coalesce(this.host_port, 0) not between 1 and 65535 or coalesce(this.guest_port, 0) not between 1 and 65535 then
    raise exception 'a port is 1 to 65535' using errcode = 'invalid_parameter_value';
  end if;
  select m.network into access from linuxsql.machine m where m.id = this.machine for no key update;
  if access is null then
    raise exception 'machine "%" has no network card', machine
      using errcode = 'object_not_in_prerequisite_state',
        hint = format('Give it one with vm_network(%L) and start it again.', machine);
  end if;
  if (select count(*) >= most from linuxsql.machine_forward f where f.machine = this.machine) then
    raise exception 'machine "%" has % forwards already', machine, most using errcode = 'program_limit_exceeded';
  end if;
  insert into linuxsql.machine_forward values (this.*) on conflict do nothing;
  if not found then
    raise exception 'port % of % leads to this machine already', this.host_port, host(this.host_address)
      using errcode = 'duplicate_object', hint = 'Remove that with vm_forward_remove first.';
  end if;
  perform @extschema@.vm_forward_apply(machine,
    format('tcp:%s:%s-:%s', host(this.host_address), this.host_port, this.guest_port), true);
  return format('%s:%s', host(this.host_address), this.host_port);
end
