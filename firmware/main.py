"""MicroPython runs this at every start of an ESP32 board."""

import esp32_board

esp32_board.main()
