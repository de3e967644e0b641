module cell-router

go 1.26
