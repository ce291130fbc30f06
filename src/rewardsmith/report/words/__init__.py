"""The words of pages and charts, English and Chinese beside each other; a file for each page. `report.text` joins them."""
