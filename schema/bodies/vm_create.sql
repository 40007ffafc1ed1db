declare
  chosen_kernel text := kernel;
  chosen_firmware text := firmware;
begin
  if to_regclass('linuxsql.machine') is null then
    raise exception 'the state tables are missing'
      using errcode = 'object_not_in_prerequisite_state', hint = 'Run the migrations: linuxsql up.';
  end if;
  if chosen_kernel is null then
    select i.name into chosen_kernel from linuxsql.image i where i.kind = 'kernel' and i.sealed order by i.id desc limit 1;
  end if;
  if chosen_firmware is null then
    select i.name into chosen_firmware from linuxsql.image i where i.kind = 'firmware' and i.sealed order by i.id desc limit 1;
  end if;
  if bootargs is null then
    perform linuxsql.create_machine(name, chosen_firmware, chosen_kernel, base_image => disk, initrd => initrd,
      memory_bytes => pg_size_bytes(memory), disk_bytes => pg_size_bytes(disk_size), seed => seed, autostart => autostart);
  else
    perform linuxsql.create_machine(name, chosen_firmware, chosen_kernel, base_image => disk, initrd => initrd,
      memory_bytes => pg_size_bytes(memory), bootargs => bootargs, disk_bytes => pg_size_bytes(disk_size), seed => seed,
      autostart => autostart);
  end if;
  return name;
end
