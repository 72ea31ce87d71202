#pragma once

// From here on the UART interrupts for each byte; may be called again.
void prompt_init(void);
