begin
  if pg_catalog.to_regclass('linuxsql.machine') is null then return; end if;
  return query
    select m.name, coalesce(s.state, 'stopped'), m.desired, m.autostart, s.instret, s.pc, s.guest_time, s.hz,
           m.memory_bytes, m.ended
    from linuxsql.machine m left join lateral @extschema@.vm_status(m.name, true) s on true
    order by m.name;
end
