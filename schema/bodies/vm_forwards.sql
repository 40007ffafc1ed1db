begin
  if pg_catalog.to_regclass('linuxsql.machine_forward') is null then return; end if;
  return query
    select m.name, m.network, f.host_address, f.host_port, f.guest_port
    from linuxsql.machine_forward f join linuxsql.machine m on m.id = f.machine
    order by m.name, f.host_address, f.host_port;
end
