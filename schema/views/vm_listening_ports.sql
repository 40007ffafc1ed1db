-- Ports of the current machine on which its processes take connections (tcp) or datagrams from anybody (udp).
select s.pid, p.comm, s.protocol, s.local_address, s.local_port
from linux.process_open_sockets s join linux.processes p on p.pid = s.pid
where s.state = 'listen' or (s.protocol = 'udp' and s.local_port > 0 and s.remote_port = 0)
order by s.local_port, s.protocol, s.pid
