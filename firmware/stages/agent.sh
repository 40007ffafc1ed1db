# Our own programs of the guest, static riscv64: postgres_agent, and truth_subject for the tests.

agent_inputs() {
  cat "$firmware_dir/stages/agent.sh" "$firmware_dir"/agent/*.c
  riscv64-linux-gnu-gcc --version | head -n 1
  dpkg-query -W -f '${Package} ${Version}\n' libc6-dev-riscv64-cross
}

agent_build() {
  local out=$1 program
  for program in postgres_agent truth_subject; do
    (cd "$firmware_dir/agent" &&
      riscv64-linux-gnu-gcc -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -static -s -Wl,--build-id=none \
        -o "$out/$program" "$program.c")
  done
}
