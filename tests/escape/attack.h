/*
 * One attack is one sub-command of the static program `attacker`: it tries one thing and prints one line,
 *   VERDICT <allowed|denied> <errno-name> <detail>
 * "allowed" means that the attack got what it came for, "denied" that the kernel said no and with which errno. The
 * program depends on nothing (no libraries, no locale, no environment), so that a verdict never comes from a missing
 * file of its own. Attacks are bounded in time and memory: they run outside the jail too, as the positive control.
 */
#ifndef JAIL_ESCAPE_ATTACK_H
#define JAIL_ESCAPE_ATTACK_H

#include <stddef.h>

struct attack {
  const char *name;
  const char *usage; /* its arguments, and what "allowed" would mean */
  void (*run)(char **arguments); /* NULL-terminated; ends by allowed() or denied() */
};

extern const struct attack abi_attacks[], descriptor_attacks[], identity_attacks[], ipc_attacks[], landlock_attacks[],
    lifecycle_attacks[], mount_attacks[], notify_attacks[], resource_attacks[], secret_attacks[], sibling_attacks[],
    socket_attacks[];

/* Print the verdict and exit 0. */
void allowed(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void denied(int error, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

/* denied(errno) when `result` is negative, else allowed(). */
void verdict(long result, const char *what) __attribute__((noreturn));

/* The attack was called wrongly or could not be made ready: exit 3 without a verdict, which no expectation accepts. */
void broken(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

const char *need(char **arguments, int index); /* that argument, or broken() */
long number(const char *text);                 /* decimal, octal or hexadecimal, or broken() */

/* Read what `fd` holds: allowed() with the first bytes, or denied(). */
void give_away(int fd) __attribute__((noreturn));

/* 5 s at most: a test waits for a file made by the other side. 0 when it came. */
int wait_for(const char *path);

#endif
