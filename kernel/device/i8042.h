// The keyboard controller (Intel 8042; IBM PS/2 Technical Reference, "Keyboard and Auxiliary Device
// Controller").
#pragma once

#define KBC_DATA        0x60
#define KBC_STATUS      0x64      // command when written
#define KBC_OUTPUT_FULL (1u << 0) // a byte waits for us
#define KBC_INPUT_FULL  (1u << 1) // the controller has not taken our last byte
#define KBC_FROM_MOUSE  (1u << 5) // the byte that waits came in by the second port
#define KBC_ABSENT      0xff      // a port nobody answers
#define KBC_POLLS       100000    // of the status; one takes about a microsecond

#define KBC_READ_CONFIG       0x20
#define KBC_WRITE_CONFIG      0x60
#define KBC_WRITE_OUTPUT_PORT 0xd1
#define KBC_PULSE_RESET       0xfe
#define KBC_NULL              0xff // UHCI's keyboard emulation wants it after the output port's

#define KEY_RELEASED (1u << 7) // in a scan code
