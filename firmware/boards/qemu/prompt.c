// What a host types at the emulated board: taken by the UART's interrupt, so that Ctrl-C reaches a
// program that runs, and the processor sleeps while nobody types.

#include "py/mphal.h"
#include "py/ringbuf.h"
#include "py/runtime.h"
#include "py/stream.h"
#include "shared/runtime/interrupt_char.h"

#include "prompt.h"

// CMSDK UART 0 (Arm DDI 0479, section 4.3); its receive interrupt is number 0 (Arm DAI 0385).
#define UART_DATA (*(volatile uint32_t *)0x40004000)
#define UART_STATE (*(volatile uint32_t *)0x40004004)
#define UART_CONTROL (*(volatile uint32_t *)0x40004008)
#define UART_INTERRUPTS (*(volatile uint32_t *)0x4000400c)
#define RECEIVED (1 << 1)
#define RECEIVE_INTERRUPT_ENABLE (1 << 3)
#define RECEIVE_INTERRUPT (1 << 1)

// Armv7-M: the interrupt controller, and where the vector table stands.
#define INTERRUPT_ENABLE (*(volatile uint32_t *)0xe000e100)
#define VECTOR_TABLE (*(volatile uint32_t *)0xe000ed08)
#define EXCEPTIONS (16)
#define VECTORS (EXCEPTIONS + 32)

// mpremote sends at most 256 bytes before it waits.
#define UNREAD_BYTES (1024)

static uint8_t unread_bytes[UNREAD_BYTES];
static ringbuf_t unread = {unread_bytes, sizeof(unread_bytes), 0, 0};
static uint32_t vectors[VECTORS] __attribute__((aligned(256)));

// With interrupts off. What finds no room stays in the UART, which then holds back the host.
static void take_received(void) {
    while ((UART_STATE & RECEIVED) && ringbuf_free(&unread)) {
        int byte = UART_DATA & 0xff;
        if (byte == mp_interrupt_char) {
            mp_sched_keyboard_interrupt();
        } else {
            ringbuf_put(&unread, byte);
        }
    }
}

static void uart_received(void) {
    UART_INTERRUPTS = RECEIVE_INTERRUPT;
    take_received();
}

void prompt_init(void) {
    // The port's table ends with the exceptions.
    const volatile uint32_t *table = (const volatile uint32_t *)VECTOR_TABLE;
    for (size_t i = 0; i < EXCEPTIONS; ++i) {
        vectors[i] = table[i];
    }
    vectors[EXCEPTIONS] = (uint32_t)&uart_received;
    VECTOR_TABLE = (uint32_t)vectors;
    UART_CONTROL |= RECEIVE_INTERRUPT_ENABLE;
    INTERRUPT_ENABLE = 1;
}

int __wrap_mp_hal_stdin_rx_chr(void) {
    for (;;) {
        // A sleep ends with an interrupt that came before it, as long as that waits to be served.
        __asm volatile ("cpsid i" ::: "memory");
        take_received();
        int byte = ringbuf_get(&unread);
        if (byte < 0) {
            __asm volatile ("wfi" ::: "memory");
        }
        __asm volatile ("cpsie i" ::: "memory");
        if (byte >= 0) {
            return byte;
        }
        mp_handle_pending(true);
    }
}

uintptr_t __wrap_mp_hal_stdio_poll(uintptr_t flags) {
    return (flags & MP_STREAM_POLL_RD) && ringbuf_avail(&unread) ? MP_STREAM_POLL_RD : 0;
}
