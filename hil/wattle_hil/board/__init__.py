"""Programs on the emulated board: MicroPython on a Cortex-M3 of qemu (`make board` builds it).

    image_file.write_bytes(program.image([package_folder], {"program": source}))
    output = machine.run(image_file, counted=True)

A program is a module `program` with a function main(); what it prints is the result.
"""
