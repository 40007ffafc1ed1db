begin
  if pg_catalog.to_regclass('linuxsql.machine') is null then
    raise exception 'the state tables are missing'
      using errcode = 'object_not_in_prerequisite_state', hint = 'Run the migrations: linuxsql up.';
  end if;
  if bootargs is null then
    perform linuxsql.create_machine(name, firmware, kernel, base_image => disk, initrd => initrd,
      memory_bytes => pg_catalog.pg_size_bytes(memory), disk_bytes => pg_catalog.pg_size_bytes(disk_size),
      seed => seed, autostart => autostart);
  else
    perform linuxsql.create_machine(name, firmware, kernel, base_image => disk, initrd => initrd,
      memory_bytes => pg_catalog.pg_size_bytes(memory), bootargs => bootargs,
      disk_bytes => pg_catalog.pg_size_bytes(disk_size), seed => seed, autostart => autostart);
  end if;
  return name;
end
