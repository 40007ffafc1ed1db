-- Output of the consoles of the current machine.
select instret, text
from linux.console
order by seq
