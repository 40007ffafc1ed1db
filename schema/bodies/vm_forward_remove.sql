declare
  gone linuxsql.machine_forward;
begin
  delete from linuxsql.machine_forward f
    where f.machine = linuxsql.machine_named(vm_forward_remove.machine)
      and f.host_port = vm_forward_remove.host_port and f.host_address = vm_forward_remove.host_address
    returning * into gone;
  if not found then
    raise exception 'port % of % does not lead to machine "%"', host_port, host(host_address), machine
      using errcode = 'undefined_object', hint = 'Forwards are listed by vm_forwards().';
  end if;
  perform @extschema@.vm_forward_apply(machine,
    format('tcp:%s:%s-:%s', host(gone.host_address), gone.host_port, gone.guest_port), false);
end
