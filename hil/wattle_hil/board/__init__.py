"""Programs on the emulated board: MicroPython on a Cortex-M3 of qemu (`make board` builds it).

    image = rom_image({"program.mpy": compiled(source), **package(folder)})
    output = machine.run(image_file, counted=True)

A program is a module `program` with a function main(); what it prints is the result.
"""
