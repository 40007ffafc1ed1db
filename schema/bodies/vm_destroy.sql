begin
  perform linuxsql.drop_machine(name);
end
