#!/usr/bin/env python3
"""Writes digits.inc, the embedded handwritten digits, from the CSV file that scikit-learn distributes.

    datasets/embed_digits.py /usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz > datasets/digits.inc

One line per image: 64 pixels in base 17 (0 to g), row by row, then the label.
"""
import csv
import gzip
import sys

DIGITS = "0123456789abcdefg"

with gzip.open(sys.argv[1], "rt") as file:
    rows = [[int(float(cell)) for cell in row] for row in csv.reader(file)]
assert len(rows) == 1797 and all(len(row) == 65 and max(row) <= 16 and row[64] <= 9 for row in rows)

print("// Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning Repository (1998),")
print("// https://doi.org/10.24432/C50P49, CC BY 4.0. Made by embed_digits.py; do not edit.")
for row in rows:
    print('"' + "".join(DIGITS[value] for value in row) + '",')
