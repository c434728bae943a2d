"""What providers report about messages they took: who says it is proved, read, and given one of our states. Pure.

`reader.ReceiptReader` is the entrance: `verify` a callback, `read` its entries, `meaning` of an entry's document.
`tokens` makes and reads what comes back by itself; `states.step` decides what is written of a message.
"""
