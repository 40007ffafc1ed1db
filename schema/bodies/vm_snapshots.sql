begin
  if pg_catalog.to_regclass('linuxsql.checkpoint') is null then return; end if;
  return query
    select m.name, c.name, c.instret, make_interval(secs => c.time_ns / 1e9), c.created_at, c.automatic, c.stored_bytes,
           r.depth, d.depth
    from linuxsql.checkpoint c join linuxsql.machine m on m.id = c.machine
    join linuxsql.layer r on r.id = c.ram_layer left join linuxsql.layer d on d.id = c.disk_layer
    order by c.id;
end
